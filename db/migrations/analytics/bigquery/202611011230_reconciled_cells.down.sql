drop view if exists analytics.usage_daily_reconciled;

drop view if exists analytics.usage_hourly_reconciled;

drop table if exists analytics.reconciled_cells;
