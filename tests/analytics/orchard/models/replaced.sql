{{ config(materialized='incremental', unique_key=['id', 'state'], on_schema_change='append_new_columns') }}
select id, state, changed_at{{ ", 'later' as seen" if is_incremental() }} from {{ ref('branches') }}
{% if is_incremental() %}where changed_at > (select max(changed_at) from {{ this }}){% endif %}
