{#
  The bin of a latency in a DDSketch (Masson, Rim and Lee, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error
  guarantees", 2019) with one percent of relative error: bin b holds what is above gamma^(b-1) and at most gamma^b, where gamma is
  1.01 / 0.99. Nothing took no time at all and has a bin of its own, -1. Bins are counted by rows, so sketches merge by adding up, and
  computing one again gives the same one.
#}
{% macro latency_bin(milliseconds) -%}
  cast(case when {{ milliseconds }} <= 0 then -1 else ceil(ln({{ milliseconds }}) / ln(1.01 / 0.99)) end as smallint)
{%- endmacro %}

{# A latency of that bin, in milliseconds: at most one percent from every latency in it. #}
{% macro latency_of_bin(bin) -%}
  case when {{ bin }} < 0 then 0 else 2 * power(1.01 / 0.99, {{ bin }}) / (1.01 / 0.99 + 1) end
{%- endmacro %}
