import { bareCost, type CryptoCost } from './crypto-cost.ts';
import type { Measurement } from './measure.ts';
import { workloadNames } from './workloads.ts';

/** Everything that a run measured, and where. */
export interface Results {
  readonly date: string;
  readonly machine: string;
  readonly versions: string;
  readonly connections: number;
  readonly crypto: CryptoCost;
  readonly measurements: readonly Measurement[];
}

/** The median of each number over the repetitions. */
export function medians(measurements: readonly Measurement[]): readonly Measurement[] {
  const groups = Map.groupBy(
    measurements,
    ({ store, workers, workload }) => `${store} ${workers} ${workload}`,
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const median = (of: (one: Measurement) => number) =>
      group.map(of).sort((a, b) => a - b)[Math.floor(group.length / 2)] ?? 0;
    return [
      {
        ...first,
        perSecond: median(({ perSecond }) => perSecond),
        cpu: median(({ cpu }) => cpu),
        p50: median(({ p50 }) => p50),
        p99: median(({ p99 }) => p99),
        ...(first.statements !== undefined && {
          statements: median(({ statements }) => statements ?? 0),
        }),
      },
    ];
  });
}

/** The table of the README, as Markdown. */
export function table({
  date,
  machine,
  versions,
  connections,
  crypto,
  measurements,
}: Results): string {
  const rows = medians(measurements).map(
    ({ store, workers, workload, perSecond, cpu, p50, p99, statements }) => {
      const bare = bareCost(workload, crypto);
      const cells = [
        workers === 1 ? store : `${store}, ${workers} processes`,
        `${workload} ${workloadNames[workload]}`,
        Math.round(perSecond).toLocaleString('en'),
        cpu.toFixed(0),
        bare === 0 ? '–' : (cpu / bare).toFixed(1),
        p50.toFixed(1),
        p99.toFixed(1),
        statements === undefined ? '–' : statements.toFixed(2),
      ];
      return `| ${cells.join(' | ')} |`;
    },
  );
  return [
    `${date.slice(0, 10)}, ${machine}, ${versions}; ${connections} connections; bare ES256 on this machine: sign ${crypto.sign.toFixed(0)} µs, verify ${crypto.verify.toFixed(0)} µs.`,
    '',
    '| store | workload | requests/s | CPU µs/request | × bare crypto | p50 ms | p99 ms | SQL/request |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

const width = 760;
const labelWidth = 330;

/** A bar for each measurement: CPU time a request, the bare cost of its signatures darker. */
export function plot({ date, crypto, measurements }: Results): string {
  const rows = medians(measurements);
  const longest = Math.max(...rows.map(({ cpu }) => cpu));
  const scale = (width - labelWidth - 130) / longest;
  const bars = rows.map(({ store, workers, workload, cpu, perSecond }, index) => {
    const y = 56 + index * 26;
    const bare = bareCost(workload, crypto);
    return [
      `<text x="${labelWidth - 8}" y="${y + 14}" text-anchor="end">${workload} on ${store}${workers === 1 ? '' : ` × ${workers}`}</text>`,
      `<rect x="${labelWidth}" y="${y}" width="${(cpu * scale).toFixed(1)}" height="18" fill="#9bb8d3"/>`,
      `<rect x="${labelWidth}" y="${y}" width="${(bare * scale).toFixed(1)}" height="18" fill="#2f5d8a"/>`,
      `<text x="${(labelWidth + cpu * scale + 6).toFixed(1)}" y="${y + 14}">${cpu.toFixed(0)} µs, ${Math.round(perSecond).toLocaleString('en')}/s</text>`,
    ].join('');
  });
  const height = 72 + rows.length * 26;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<title>CPU time of the server a request</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="24" font-size="16" font-weight="bold">CPU time of the server a request, ${date.slice(0, 10)}</text>
<text x="16" y="43" fill="#555">dark: what its ES256 signatures cost at least</text>
${bars.join('\n')}
</svg>
`;
}
