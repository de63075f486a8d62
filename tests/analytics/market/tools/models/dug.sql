select * from {{ source('shed','spades') }}
