select id, upper(name) as name, '{{ ref('shapes', v=1).identifier }}' as before from {{ ref('shapes', v=1) }}
