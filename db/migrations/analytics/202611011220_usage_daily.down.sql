drop table analytics.usage_daily;
