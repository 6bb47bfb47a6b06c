/** A node without its name, of whatever kind. */
export type Unnamed<Node> = Node extends unknown ? Omit<Node, 'name'> : never;
