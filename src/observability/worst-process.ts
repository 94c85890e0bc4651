import { Gauge, type Registry } from 'prom-client';

/**
 * Makes limit series report the process closest to its limit: a mean or sum would hide one process
 * that hangs or cannot open files.
 */
export function worstProcess(registry: Registry): void {
  for (const quantile of ['p50', 'p90', 'p99'])
    Object.assign(registry.getSingleMetric(`nodejs_eventloop_lag_${quantile}_seconds`) ?? {}, {
      aggregator: 'max',
    });
  const readingOf = async (name: string) => {
    const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] };
    return values[0]?.value;
  };
  new Gauge({
    name: 'holdfast_open_files_ratio',
    help: 'Share of its file descriptors that the process has open which has most; Linux only.',
    aggregator: 'max',
    registers: [registry],
    async collect() {
      const opened = await readingOf('process_open_fds');
      const most = await readingOf('process_max_fds');
      if (opened !== undefined && most !== undefined) this.set(opened / most);
      else this.remove();
    },
  });
}
