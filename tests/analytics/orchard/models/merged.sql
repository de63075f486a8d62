{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', merge_exclude_columns=['first_state']) }}
select id, state, state as first_state from {{ ref('branches') }}
