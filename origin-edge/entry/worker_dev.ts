/**
 * Runs the Workers entry on this machine in workerd, by wrangler's own development server, with the settings of the
 * environment as its bindings: no secret stands in an argument list.
 */
import { unstable_startWorker } from 'wrangler';
import { SETTING_NAMES } from '../../contracts/setting_table.ts';
import { readEdgeSettings } from './edge_settings.ts';
import { AWS_NAMES } from './s3_from_environment.ts';

const settings = readEdgeSettings(process.env, false);
const bindings: Record<string, { readonly type: 'plain_text'; readonly value: string }> = {
  HW_UPSTREAM_BASE: { type: 'plain_text', value: settings.upstreamBase },
};
for (const name of [...SETTING_NAMES, ...AWS_NAMES]) {
  const value = process.env[name];
  if (value !== undefined && value !== '') bindings[name] = { type: 'plain_text', value };
}

const worker = await unstable_startWorker({
  config: 'wrangler.toml',
  bindings,
  dev: {
    server: { hostname: settings.host, port: settings.port },
    inspector: false,
    watch: false,
    liveReload: false,
    logLevel: 'error',
    persist: false,
  },
});
await worker.ready;
const { port } = await worker.url;
const ready = JSON.stringify({ ready: true, pid: process.pid, ports: { edge: Number(port) } });
process.stdout.write(`${process.stdout.isTTY ? `The edge listens on http://${settings.host}:${port}` : ready}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // wrangler's own listener ends the process before workerd has closed.
  process.removeAllListeners(signal);
  process.once(signal, () => void worker.dispose().then(() => process.exit(0)));
}
