export function OperationsPage() { return <p />; }
