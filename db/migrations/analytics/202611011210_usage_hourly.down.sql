drop table analytics.usage_hourly;

drop schema analytics;
