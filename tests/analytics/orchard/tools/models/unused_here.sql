select * from {{ ref('tools', 'blades_in_use') }}
