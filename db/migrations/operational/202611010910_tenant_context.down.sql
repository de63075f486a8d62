drop function platform.refuse_row_change();

drop function platform.refuse_column_change();

drop function platform.touch_updated_at();

drop function platform.organization_shard(uuid);

drop function platform.current_organization_id();
