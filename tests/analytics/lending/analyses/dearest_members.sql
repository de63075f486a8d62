select member_id, sum(fees) as fees
from {{ ref('member_months') }}
group by member_id
order by fees desc
limit 10
