select bucket_hour, organization_id, model_id
from {{ ref('usage_hourly') }}
where errors + rate_limited > requests
  or latency_ms_max > latency_ms_sum
