// The script of a report: draws its charts.

import { ChartPage } from './chart-page.ts';

new ChartPage();
