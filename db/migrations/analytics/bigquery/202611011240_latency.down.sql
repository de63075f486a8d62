drop table if exists analytics.latency_daily;

drop table if exists analytics.latency_hourly;
