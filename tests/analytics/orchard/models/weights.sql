{% set kinds = tools.distinct_values(ref('fruits'), 'name') %}
select {{ tools.columns_but(ref('fruits'), ['note', 'weighed_at']) }},
{% for kind in kinds %}
  coalesce(name = '{{ kind }}', false) as is_{{ kind }},
{% endfor %}
  grams > {{ var('heavy_grams') }} as is_heavy
from {{ ref('fruits') }}
