drop table analytics.platform_daily;

drop table analytics.platform_hourly;
