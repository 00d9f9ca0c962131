export function IncidentsPage() { return <p />; }
