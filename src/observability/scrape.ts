import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';
import type { Peers } from '../ports/peers.ts';

/** The text of a scrape (Prometheus exposition format). */
export interface Scraped {
  readonly contentType: string;
  readonly text: string;
}

/** Answers scrapes; concurrent ones share a single reading. */
export type Scrape = () => Promise<Scraped>;

/**
 * Combines the summed series of every process of this machine with those of the server, which are
 * the same in each process and read only in this one.
 */
export function scraper(own: Registry, ofServer: Registry, peers: Peers): Scrape {
  peers.onGather(async () => own.getMetricsAsJSON());
  let underWay: Promise<Scraped> | undefined;
  const scrapeNow = async (): Promise<Scraped> => {
    try {
      const [here, others, server] = await Promise.all([
        own.getMetricsAsJSON(),
        peers.gather() as Promise<readonly MetricObject[][]>,
        ofServer.metrics(),
      ]);
      const all =
        others.length === 0 ? own : AggregatorRegistry.aggregate([here, ...others] as never);
      return { contentType: ofServer.contentType, text: `${await all.metrics()}\n${server}` };
    } finally {
      underWay = undefined;
    }
  };
  return async () => (underWay ??= scrapeNow());
}
