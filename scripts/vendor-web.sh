#!/usr/bin/env bash
# Makes web/vendor/ of the npm packages that web/package-lock.json pins: the chart library's parts that the pages use,
# as one minified file, beside its licence. Needs node, npm and the network; building regsweep needs none of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp web/package.json web/package-lock.json web/charts.js "$work"
cd "$work"
npm ci --no-audit --no-fund --loglevel=error
# An immediately invoked function that leaves one global name, for the page has only inline scripts.
npx esbuild charts.js --bundle --minify --format=iife --global-name=charts --target=es2020 --charset=ascii \
  --define:process.env.NODE_ENV='"production"' --legal-comments=none --outfile=bundle.js --log-level=warning
cd - >/dev/null
mkdir -p web/vendor
version=$(sed -n 's/.*"echarts": "\([0-9.]*\)".*/\1/p' web/package.json)
{
  echo "/*! Apache ECharts $version, Apache-2.0, with zrender (BSD-3-Clause) and tslib (0BSD): see the LICENSE files in web/vendor */"
  cat "$work/bundle.js"
} >web/vendor/charts.js
cat "$work/node_modules/echarts/LICENSE" >web/vendor/LICENSE.echarts
cat "$work/node_modules/echarts/NOTICE" >web/vendor/NOTICE.echarts
cat "$work/node_modules/zrender/LICENSE" >web/vendor/LICENSE.zrender
cat "$work/node_modules/tslib/LICENSE.txt" >web/vendor/LICENSE.tslib
ls -l web/vendor
