import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';
import type { Peers } from '../ports/peers.ts';

/** The text of a scrape (Prometheus exposition format). */
export interface Scraped {
  readonly contentType: string;
  readonly text: string;
}

/** Answers scrapes: of those that come at the same time, one is done. */
export type Scrape = () => Promise<Scraped>;

/**
 * Joins the series of every process of this machine, summed, and those of the server, which are the
 * same in each and read in this one alone.
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
