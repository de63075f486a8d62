select * from {{ ref('shapes') }}
