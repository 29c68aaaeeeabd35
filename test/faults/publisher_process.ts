/**
 * A publisher as a process of its own, so that it can stand in a network namespace: publishes the test source to
 * `rtmp://HOST:PORT/stream/KEY` (from the environment) until it is killed, and writes a line once it is let in.
 */
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';

const { HOST = '127.0.0.1', PORT = '0', KEY = '' } = process.env;
await PacedPublisher.start({ host: HOST, port: Number(PORT), key: KEY, source: await makeTestSource() });
process.stdout.write('publishing\n');
