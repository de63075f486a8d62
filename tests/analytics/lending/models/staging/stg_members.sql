{%- set kinds = {'adult': 1, 'child': 2} -%}

select
    id as member_id,
    {{ clean('full_name') }} as member_name,
    kind,
    case kind
    {%- for kind, code in kinds.items() %}
        when '{{ kind }}' then {{ code }}
    {%- endfor %}
        else 0
    end as kind_code
from {{ source('desk', 'members') }}
