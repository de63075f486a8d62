drop table if exists analytics.usage_daily;
