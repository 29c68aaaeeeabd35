/**
 * The stock node-media-server in a process of its own, with RTMP alone, for stock_comparison.ts. Counts the messages
 * that it broadcasts.
 */
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';

/** What the stock process says when asked. */
export interface StockReport {
  readonly rssBytes: number;
  readonly broadcasts: number;
}

type StockServer = new (config: object) => { run(): Promise<void> };
interface StockFlv {
  createMessage(packet: object): Buffer;
}

const require = createRequire(import.meta.url);
const Server = require('node-media-server') as StockServer;
const Flv = require('node-media-server/src/protocol/flv.js') as StockFlv;
const logger = require('node-media-server/src/core/logger.js') as { log: () => void };
logger.log = () => undefined;

let broadcasts = 0;
const createMessage = Flv.createMessage.bind(Flv);
Flv.createMessage = (packet) => {
  broadcasts += 1;
  return createMessage(packet);
};

/** The stock server takes no port 0. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const port = await freePort();
const data = mkdtempSync(join(tmpdir(), 'stock-'));
await new Server({ bind: '127.0.0.1', rtmp: { port }, store: { path: data } }).run();

process.on('message', () => {
  const report: StockReport = { rssBytes: process.memoryUsage.rss(), broadcasts };
  process.send?.(report);
});
process.once('disconnect', () => process.exit(0));
process.send?.({ port });
