drop view analytics.usage_daily_reconciled;

drop view analytics.usage_hourly_reconciled;

drop table analytics.reconciled_cells;
