select code, shelf, (select count(*) from {{ ref('trees') }}) as trees from {{ ref('shelves') }}
