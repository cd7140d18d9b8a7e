// The parts of Apache ECharts that the pages use. scripts/vendor-web.sh makes vendor/charts.js of this.
import { use, init } from "echarts/core";
import { BarChart, TreemapChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

use([BarChart, TreemapChart, GridComponent, TooltipComponent, SVGRenderer]);

export { init };
