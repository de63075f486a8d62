select name, sharpness, {{ var('sharpest') }} as sharpest, {{ var('heavy_grams') }} as heavy,
  {{ in_words('sharpness') }} as words, '{{ project_name }}' as project, '{{ model.package_name }}' as package
from {{ ref('blades') }} where sharpness <= {{ var('sharpest') }}
