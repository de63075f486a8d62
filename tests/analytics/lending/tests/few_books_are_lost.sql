{{ config(severity='warn', warn_if='>= 1', fail_calc='sum(lost_loans)', tags=['books']) }}

select * from {{ ref('member_months') }} where lost_loans > 0
