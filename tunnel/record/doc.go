// Package record makes a record of each request that is carried: what was asked, what the
// answer was, and how long it took; of secrets in it only that they were there.
//
//	observation := record.Begin(request, options, nil, func(r record.Request) { … })
//
// It looks on as package proxy lets it ([proxy.Observation]), and keeps what [Options] ask
// for: headers and the beginnings of bodies. Who is asked before more is kept may refuse
// it, and the record is the poorer for it, so that memory stays bounded however many
// requests there are.
package record
