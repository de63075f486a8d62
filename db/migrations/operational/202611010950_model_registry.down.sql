drop table platform.model_registry_entries;
