{% set bands = fee_bands() %}

select
    members.member_id,
    members.member_name,
    fees.lent_month,
    count(*) as loans,
    {%- for band in bands %}
    {{ count_if('fees.fee ' ~ band.condition) }} as {{ band.name }}_loans{{ ',' if not loop.last }}
    {%- endfor %},
    sum(fees.fee) as fees
from {{ ref('fees') }} as fees
inner join {{ ref('stg_members') }} as members using (member_id)
group by 1, 2, 3
