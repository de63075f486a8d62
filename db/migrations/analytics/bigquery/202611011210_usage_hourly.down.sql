drop table if exists analytics.usage_hourly;

drop schema if exists analytics;
