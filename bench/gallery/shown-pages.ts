// What the gallery shows beside the scenarios, and which pictures are taken for the documentation. A page that is new takes an
// entry of `shownPages` (how it is made) and one of `pictures` for each picture of it (docs/reports.md shows them).

/** A page of another command than `sim run`; the folder it writes to is given to it by --out. */
export type ShownPage = {
  /** In out/gallery. */
  readonly folder: string;
  /** The page in that folder. */
  readonly page: string;
  readonly question: string;
  /** Of `sim`, without --out. */
  readonly words: readonly string[];
};

export const shownPages: readonly ShownPage[] = [
  {
    folder: 'comparison',
    page: 'compare.html',
    question: 'Is a branch office worse off when its node gets 80 Mbit/s of the WAN?',
    words: ['gate', 'scenarios/branch-office.yaml', '--world', 'virtual', '--set-candidate', 'nodes.0.wan=80 Mbit/s'],
  },
  {
    folder: 'saturation',
    page: 'saturation.html',
    question: 'How many devices does the modelled node of a large enterprise bear?',
    words: ['saturate', 'scenarios/enterprise.yaml', '--world', 'virtual'],
  },
  {
    folder: 'sweep',
    page: 'sweep.html',
    question: 'How fast is a large enterprise done, by the number of its devices and the rate of its node?',
    words: [
      ...['sweep', 'scenarios/enterprise.yaml', '--metric', 'fleet.finishMs'],
      ...['--vary', 'nodes.0.egress=4 Gbit/s..10 Gbit/s:7', '--vary', 'devices=10000..50000:5'],
    ],
  },
  {
    folder: 'plan',
    page: 'plan.html',
    question: 'How many nodes does it take to update headquarters and 40 branches within a day?',
    words: ['plan', 'plans/enterprise.yaml'],
  },
];

/** One picture in docs/pictures. */
export type Picture = View & {
  readonly file: string;
} & (
    | {
        /** The page, in out/gallery; of a run `console` stands for what its summary says on a terminal. */
        readonly page: string;
      }
    | { readonly served: Served }
  );

/** A page that a command serves while it runs: its address is the first that it says on standard error. */
export type Served = {
  /** Of `sim`, e.g. `run scenarios/failover.yaml --world live --ui 0 --out out/gallery/dashboard`. */
  readonly words: readonly string[];
  /** The picture is taken when the page has this text. */
  readonly until: string;
};

/** How a page is looked at. */
export type View = {
  readonly theme?: 'dark';
  readonly widthPx?: number;
  readonly heightPx?: number;
  /** CSS selector of what stands on top; absent: the top of the page. */
  readonly from?: string;
};

export const pictures: readonly Picture[] = [
  { file: 'report.webp', page: 'failover/report.html' },
  { file: 'report-charts.webp', page: 'failover/report.html', from: '#claim', heightPx: 1180 },
  { file: 'report-dark.webp', page: 'enterprise/report.html', theme: 'dark' },
  { file: 'report-phone.webp', page: 'failover/report.html', widthPx: 390, heightPx: 844 },
  { file: 'comparison.webp', page: 'comparison/compare.html', heightPx: 980 },
  { file: 'saturation.webp', page: 'saturation/saturation.html', heightPx: 900 },
  { file: 'sweep.webp', page: 'sweep/sweep.html', heightPx: 900 },
  { file: 'plan.webp', page: 'plan/plan.html', heightPx: 1030 },
  {
    file: 'dashboard.webp',
    heightPx: 1500,
    served: {
      words: ['run', 'scenarios/failover.yaml', '--world', 'live', '--out', 'out/gallery/dashboard', '--ui', '0'],
      until: 'restart hq',
    },
  },
  { file: 'console.webp', page: 'smoke/console' },
  { file: 'gallery.webp', page: 'index.html' },
];

export const pictureDefaults = { widthPx: 1180, heightPx: 800 } as const;
