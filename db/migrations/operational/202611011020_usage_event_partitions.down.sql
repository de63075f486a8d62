-- Back to one default partition that holds every event: nothing is lost, and the next up moves the rows out of it
-- again.
do $fold$
declare
  part record;
begin
  lock table platform.usage_events in access exclusive mode;
  for part in
    select existing.partition_name
    from platform.usage_event_partitions() as existing
    order by existing.lower_bound
  loop
    execute format('alter table platform.usage_events detach partition platform.%I', part.partition_name);
    execute format('insert into platform.usage_events_default select * from platform.%I', part.partition_name);
    execute format('drop table platform.%I', part.partition_name);
  end loop;
end
$fold$;

drop function platform.drop_usage_event_partitions(timestamptz);

drop function platform.maintain_usage_event_partitions(timestamptz);

drop function platform.ensure_usage_event_partitions(timestamptz, timestamptz);

drop function platform.make_usage_event_partition(timestamptz, timestamptz);

drop function platform.arm_usage_event_partition(text);

drop function platform.usage_event_partitions();

drop table platform.partition_settings;
