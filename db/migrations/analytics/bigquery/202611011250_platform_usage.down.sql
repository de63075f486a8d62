drop table if exists analytics.platform_daily;

drop table if exists analytics.platform_hourly;
