{{ config(materialized='incremental', incremental_strategy='append') }}
select id, state, {{ 'true' if is_incremental() else 'false' }} as again from {{ ref('branches') }}
