/**
 * All that the control plane asks of a registry: ownership, people's operations, events, and the reaper's view.
 */
import type { FleetOperations, Registry } from '../../contracts/registry.ts';
import type { EventOutbox } from '../outbox.ts';
import type { SessionReaping } from '../reap_sessions.ts';

export type FleetRegistry = Registry & FleetOperations & EventOutbox & SessionReaping;
