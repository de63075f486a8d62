{{ config(enabled=false) }}
select 1 as nothing from {{ ref('a_table_that_is_gone') }}
