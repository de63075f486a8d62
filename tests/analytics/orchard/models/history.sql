select id, state, dbt_valid_to is null as is_now from {{ ref('branches_by_time') }}
