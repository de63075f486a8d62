select *
from {{ ref('fees') }}
where fee <> overdue_days * {{ var('fee_per_day') }}
