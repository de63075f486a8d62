{{ config(materialized='ephemeral') }}

select
    loan_id,
    member_id,
    isbn,
    {{ dbt.date_trunc('month', 'lent_at') }} as lent_month,
    greatest({{ dbt.datediff('due_at', "coalesce(returned_on, date '2026-06-30')", 'day') }}, 0) as overdue_days
from {{ ref('stg_loans') }}
