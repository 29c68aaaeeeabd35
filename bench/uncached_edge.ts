/**
 * The edge on Node without room for anything in memory: each request is a miss. Child process of bench/edge.ts; the
 * record of its one stream is its first argument, and it prints its port.
 */
import * as z from 'zod/mini';
import { streamRecordSchema } from '../contracts/registry.ts';
import { startEdge } from '../origin-edge/entry/start_edge.ts';

const record = z.parse(streamRecordSchema, JSON.parse(process.argv[2] ?? ''));
const edge = await startEdge({
  port: 0,
  host: '127.0.0.1',
  resolve: async () => Promise.resolve(record),
  cacheBytes: 1,
  log: (level, message, fields) => process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`),
});
console.log(edge.port);
process.once('SIGTERM', () => process.exit(0));
