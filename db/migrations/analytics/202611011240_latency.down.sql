drop table analytics.latency_daily;

drop table analytics.latency_hourly;
