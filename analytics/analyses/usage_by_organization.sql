-- One organization's line in a graph, or all of them: usage by day. The variable `organization` leaves one.
select
  bucket_day,
  organization_id,
  sum(requests) as requests,
  sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens,
  sum(cost) as cost,
  {{ share('sum(errors)', 'sum(requests)') }} as error_rate
from {{ ref('usage_daily') }}
where {{ in_window_of_days('bucket_day') }}
  {% if var('organization', none) is not none %}
  and organization_id = '{{ var('organization') }}'
  {% endif %}
group by bucket_day, organization_id
order by bucket_day, organization_id
