import { Registry } from 'prom-client';
import { collect } from '../observability/collected.ts';
import type { Metrics } from '../observability/metrics.ts';
import { type Scrape, scraper } from '../observability/scrape.ts';
import type { Peers } from '../ports/peers.ts';
import { type CollectedOptions, collectedSeries } from './collected-series.ts';

/** Answers scrapes of this process, its peers and what all of them share. */
export function serverScrape(metrics: Metrics, options: CollectedOptions, peers: Peers): Scrape {
  const ofServer = new Registry();
  collect(ofServer, collectedSeries(options));
  return scraper(metrics.registry, ofServer, peers);
}
