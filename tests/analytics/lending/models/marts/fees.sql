-- What each loan costs: nothing, unless it came back late.
select
    days.loan_id,
    days.member_id,
    days.lent_month,
    days.overdue_days,
    cast(days.overdue_days * {{ var('fee_per_day') }} as decimal(10, 2)) as fee
from {{ ref('loan_days') }} as days
